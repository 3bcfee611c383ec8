# exits.sh PIPE: exits with the code that is written into the named pipe.
read -r code <"$1"
exit "$code"
