"""What a training run will cost before it starts: time, energy, carbon and money, each as a range. Pure.

`engine.estimate(request, tables)` is the one way in; nothing is imported here, so that the command line starts fast.
"""
