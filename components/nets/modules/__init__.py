"""The nets themselves, as torch modules: what the settings in `generators` and `discriminators`
build. A file here imports torch; the settings beside do so only when they build.
"""
