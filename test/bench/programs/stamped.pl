# stamped.pl LEAST MOST: every LEAST to MOST seconds, at random, a line that is the time of its write in microseconds.
use strict;
use warnings;
use Time::HiRes qw(time sleep);

my ($least, $most) = @ARGV;
while (1) {
  sleep $least + rand($most - $least);
  syswrite STDOUT, sprintf("%.0f\n", time * 1e6);
}
