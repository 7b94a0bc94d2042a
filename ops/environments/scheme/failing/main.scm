(car (list))
