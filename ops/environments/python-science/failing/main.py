import numpy

print(numpy.zeros((2, 3)) @ numpy.zeros((2, 3)))
