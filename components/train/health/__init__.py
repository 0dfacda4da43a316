"""Is this training healthy? Indicators from the step's terms and from validation pictures, and who
watches them. Their limits are settings: ../config/health.py.
"""
