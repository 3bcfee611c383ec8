/** The shells that we complete for. */
export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

// Each asks `davit complete -- WORDS` for candidates, a line each: the word, a tab, what it is. A line `:files` or
// `:directories` leaves the word to the shell. No word is ever evaluated, neither what was typed nor what is answered.

const bash = `# davit completion for bash; to use it:  source <(davit completion bash)
_davit() {
  local line current=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files) line=-f ;;
      :directories) line=-d ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}"); continue ;;
    esac
    compopt -o filenames 2>/dev/null
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$line" -- "$current")
  done < <(davit complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _davit davit
`;

const zsh = `#compdef davit
# davit completion for zsh; to use it:  source <(davit completion zsh)
_davit() {
  local line
  local -a candidates
  while IFS= read -r line; do
    case $line in
      :files) _files; return ;;
      :directories) _files -/; return ;;
      *) candidates+=("\${\${line//:/\\\\:}/$'\\t'/:}") ;;
    esac
  done < <(davit complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe davit candidates
}
if [ "\${funcstack[1]}" = _davit ]; then _davit "$@"; else compdef _davit davit; fi
`;

const fish = `# davit completion for fish; to use it:  davit completion fish | source
function __davit_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  for line in (davit complete -- $words[2..-1] "$current" 2>/dev/null)
    switch $line
      case ':files'
        __fish_complete_path "$current"
      case ':directories'
        __fish_complete_directories "$current" ''
      case '*'
        echo $line
    end
  end
end
complete -c davit -f -a '(__davit_complete)'
`;

/** What makes a shell complete the words of davit. */
export const completionScripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
