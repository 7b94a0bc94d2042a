local missing
print(missing.field)
