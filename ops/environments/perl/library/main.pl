use strict;
use warnings;
use JSON::XS;

my $people = decode_json(do { local $/; <STDIN> });
print join(', ', sort map { $_->{name} } @$people), "\n";
