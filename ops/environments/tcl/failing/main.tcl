error "nothing works"
