import sys

import numpy
import pandas
from scipy import integrate

people = pandas.read_csv(sys.stdin)
print(people.groupby("team").age.mean().to_dict())
print(numpy.linalg.det(numpy.array([[2.0, 1.0], [1.0, 3.0]])).round(6))
print(round(integrate.quad(numpy.exp, 0, 1)[0], 6))
