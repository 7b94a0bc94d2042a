stop("nothing works")
