<?php
throw new RuntimeException('nothing works');
