from sklearn.linear_model import LinearRegression

print(LinearRegression().predict([[1.0]]))
