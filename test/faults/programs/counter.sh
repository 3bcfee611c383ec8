#!/bin/sh
# Writes numbered lines: each first into a file of its own below $FAULTS_HOME, with the time since boot, then as output.
# It has a child that has left its session.
# usage: counter.sh steady | stubborn (takes no SIGTERM) | brief (exits with code 3 after three lines) | loud |
#   first (is steady; every later one of its release exits with code 4)
file="$FAULTS_HOME/written/$DAVIT_SERVICE.$DAVIT_RELEASE.$DAVIT_INSTANCE_ID.$$"
case $1 in
first) mkdir "$FAULTS_HOME/first.$DAVIT_RELEASE" 2>/dev/null || exit 4 ;;
stubborn) trap '' TERM ;;
loud) padding=$(printf '%01000d' 0) ;;
esac
setsid sleep 100000 </dev/null >/dev/null 2>&1 &
number=0
while :; do
  number=$((number + 1))
  since_boot=
  read -r since_boot rest 2>/dev/null </proc/uptime
  echo "$number $since_boot" >>"$file"
  echo "$DAVIT_INSTANCE_ID $$ $number $padding"
  case $1 in
  brief) [ "$number" -ge 3 ] && exit 3 ;;
  loud) [ $((number % 20)) -eq 0 ] && sleep 0.02 ;;
  *) sleep 0.05 ;;
  esac
done
