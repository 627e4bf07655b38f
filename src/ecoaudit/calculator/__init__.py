"""The calculator page: the estimator as a static site that works from a file, without any request.

`build.site()` renders it; `export.data()` is what it calculates from. Nothing is imported here.
"""
