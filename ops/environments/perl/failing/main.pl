use strict;
use warnings;

die 'there is nothing to do';
