"""What a model of a recipe will learn, as one page of pictures: kernels, the same photo under each
blur, histograms. `refocus blur-atlas RECIPE`.
"""
