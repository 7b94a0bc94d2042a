<?php
echo gmp_strval(gmp_fact((int) fgets(STDIN))), "\n";
