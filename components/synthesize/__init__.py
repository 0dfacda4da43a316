"""The stage that makes blurred/sharp pairs out of sharp photos: blur in linear light, then the
camera's noise and JPEG. Given pairs stay as they are.
"""
