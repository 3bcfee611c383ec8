# numbered.pl NAME RATE: writes RATE numbered lines a second, each by a write of its own, until SIGTERM.
# Its last line is `NAME end COUNT LINES-PER-SECOND`. It wakes at most 20 times a second: hundreds of it fit on two cores.
use strict;
use warnings;
use Time::HiRes qw(time sleep);

my ($name, $rate) = @ARGV;
my $ended = 0;
$SIG{TERM} = sub { $ended = 1 };
my $pause = $rate > 20 ? 0.05 : 1 / $rate;
my ($began, $count) = (time, 0);

sub line { syswrite STDOUT, $_[0] or die "cannot write: $!" }

until ($ended) {
  my $due = int((time - $began) * $rate);
  line(sprintf "%s %09d ...............\n", $name, ++$count) while $count < $due && !$ended;
  sleep $pause unless $ended;
}
line(sprintf "%s end %d %.1f\n", $name, $count, $count / (time - $began));
