(let ((words (cl-ppcre:split "[, ]+" (read-line))))
  (format t "~a of ~a~%" (alexandria:lastcar words) (length words)))
