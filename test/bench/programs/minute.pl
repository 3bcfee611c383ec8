# minute.pl FOLDER BYTES SECONDS LINES: half of BYTES at once, then SECONDS in which it writes LINES lines, then the
# other half. FOLDER/done says when the quiet time began and ended, in milliseconds.
use strict;
use warnings;
use Time::HiRes qw(time sleep);

my ($folder, $bytes, $seconds, $lines) = @ARGV;

sub burst {
  my $block = (sprintf('%-98s', 'request served in 12 ms, status 200, by worker 7') . ".\n") x 655;
  for (my $left = $bytes / 2; $left > 0; $left -= length $block) { syswrite STDOUT, $block }
}

burst;
sleep 1;
my $began = time;
for my $number (1 .. $lines) {
  syswrite STDOUT, sprintf("%-98s.\n", "order $number of the quiet minute");
  sleep $began + $number * $seconds / $lines - time if $number * $seconds / $lines > time - $began;
}
my $ended = time;
sleep 1;
burst;
open my $done, '>', "$folder/done.new" or die;
printf $done '%.0f %.0f', $began * 1000, $ended * 1000;
close $done;
rename "$folder/done.new", "$folder/done";
sleep 1000;
