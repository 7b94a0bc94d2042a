(use-modules (json))

(let ((person (json->scm)))
  (format #t "~a is ~a~%" (assoc-ref person "name") (assoc-ref person "age")))
