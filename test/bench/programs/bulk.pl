# bulk.pl FOLDER BYTES LINES: waits for the file FOLDER/go, writes BYTES in lines of 100 bytes, LINES of them by each
# write, says in FOLDER/done how many seconds that took, and stays.
use strict;
use warnings;
use Time::HiRes qw(time sleep);

my ($folder, $bytes, $lines) = @ARGV;
my $block = (('x' x 99) . "\n") x $lines;
sleep 0.01 until -e "$folder/go";
my $began = time;
for (my $left = $bytes; $left > 0;) {
  my $size = $left < length $block ? $left : length $block;
  my $at = 0;
  while ($at < $size) {
    my $written = syswrite STDOUT, $block, $size - $at, $at;
    die "cannot write: $!" unless defined $written;
    $at += $written;
  }
  $left -= $size;
}
my $seconds = time - $began;
open my $done, '>', "$folder/done.new" or die;
print $done $seconds;
close $done;
rename "$folder/done.new", "$folder/done";
sleep 1000;
