(error "nothing works")
