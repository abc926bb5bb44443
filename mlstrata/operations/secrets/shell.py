"""The functions of the script that makes secrets: what is the same for every environment.

A value is in a variable of the shell, in a pipe or in the cluster: never in a file, in an argument of a process or in
its environment. `printf` and `read` are the shell's own, so their arguments are none of a process.
"""

from __future__ import annotations

HEAD = """\
#!/bin/sh
# Secrets of {environment}: makes those that are missing, and changes none that is there.
# No value is in this script, in an argument of a process or on the screen.
#
#   mlstrata secrets {environment} --script > secrets.sh
#   sh secrets.sh [CONTEXT]     # of the kubeconfig; {context} by default
#
# Asks on the terminal, without echo; without a terminal it reads a line for each question. An empty answer leaves a
# secret out. Exits 1 if anything is left out: run it again.
set +x -eu
"""

FUNCTIONS = r"""
say() {
  printf '%s\n' "$*" >&2
}

restore() {
  [ -z "$terminal" ] || stty "$terminal" <&3
}

# Standard input may be this script itself, so questions go to the terminal, if there is one.
open_answers() {
  terminal=""
  if (: </dev/tty) 2>/dev/null; then exec 3</dev/tty; else exec 3<&0; fi
  if [ -t 3 ]; then
    terminal=$(stty -g <&3)
    trap restore EXIT
    trap 'exit 130' HUP INT TERM
  fi
}

# encoded: standard input in base64, in one line.
encoded() {
  base64 | tr -d '\r\n'
}

# generated: 32 random bytes in hexadecimal.
generated() {
  od -An -vtx1 -N32 /dev/urandom | tr -d ' \n' | encoded
}

# plain TEXT: a value that is no secret.
plain() {
  printf '%s' "$1" | encoded
}

# answer QUESTION: a line, shown while it is typed.
answer() {
  printf '%s: ' "$1" >&2
  line=""
  IFS= read -r line <&3 || :
  printf '%s' "$line"
}

# hidden QUESTION: a line that the terminal does not show.
hidden() {
  # First, so that what is typed at once after the question is not shown either.
  [ -z "$terminal" ] || stty -echo <&3
  printf '%s: ' "$1" >&2
  line=""
  IFS= read -r line <&3 || :
  if [ -n "$terminal" ]; then
    stty "$terminal" <&3
    printf '\n' >&2
  fi
  printf '%s' "$line"
}

# asked QUESTION: its answer; empty: there is none.
asked() {
  hidden "$1" | encoded
}

# contents QUESTION: what is in the file that is named; empty: none is.
contents() {
  path=$(answer "$1, path of a file with it")
  [ -z "$path" ] || encoded <"$path"
}

# registry QUESTION HOST: Docker's configuration for one registry.
registry() {
  host=$(answer "$1, the registry [$2]")
  user=$(answer "$1, user")
  [ -n "$user" ] || return 0
  auth=$(hidden "$1, password or token" | { IFS= read -r word || :; printf '%s:%s' "$user" "$word" | encoded; })
  printf '{"auths":{"%s":{"auth":"%s"}}}' "${host:-$2}" "$auth" | encoded
}

# value NAMESPACE NAME KEY: what is there, in base64; empty: it is not.
value() {
  kubectl --context "$context" --namespace "$1" get secret "$2" --ignore-not-found \
    -o "go-template={{with .data}}{{with index . \"$3\"}}{{.}}{{end}}{{end}}"
}

# first NAME KEY NAMESPACE...: what the first of the namespaces has; the same secret is the same in all.
first() {
  name=$1 key=$2
  shift 2
  for space in "$@"; do
    found=$(value "$space" "$name" "$key") || exit 1
    if [ -n "$found" ]; then
      printf '%s' "$found"
      return 0
    fi
  done
}

# put NAMESPACE NAME TYPE [KEY VALUE]...: make a secret, or what is missing of it; no type: the cluster's own default.
# A key with a question mark before it may be missing.
put() {
  space=$1 name=$2 type=$3 data="" missing=""
  shift 3
  while [ "$#" -gt 0 ]; do
    key=${1#\?}
    have=$(value "$space" "$name" "$key") || exit 1
    if [ -z "$have$2" ] && [ "$key" = "$1" ]; then
      say "left out: $space/$name, no $key"
      left=1
      return 0
    fi
    [ -n "$have" ] || [ -z "$2" ] || missing="$missing $key"
    [ -z "$have$2" ] || data="$data
  \"$key\": \"${have:-$2}\""
    shift 2
  done
  if [ -z "$missing" ]; then
    say "is there: $space/$name"
    return 0
  fi
  {
    printf 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  namespace: %s\n' "$name" "$space"
    [ -z "$type" ] || printf 'type: %s\n' "$type"
    printf 'data:%s\n' "$data"
  } | apply
  say "made: $space/$name:$missing"
}

# keys NAMESPACE NAME: whether the public keys of tokens are there, which another command makes.
keys() {
  found=$(kubectl --context "$context" --namespace "$1" get configmap "$2" --ignore-not-found -o name)
  [ -z "$found" ] || return 0
  say "left out: $1/$2, which this brings: $tokens"
  left=1
}
"""

APPLY = """
# apply: bring a manifest from standard input to the cluster.
apply() {
  kubectl --context "$context" apply --server-side --field-manager=mlstrata-secrets -f - >/dev/null
}

# namespace NAME: make it, unless it is there.
namespace() {
  found=$(kubectl --context "$context" get namespace "$1" --ignore-not-found -o name)
  [ -n "$found" ] || kubectl --context "$context" create namespace "$1" >/dev/null
}
"""

SEAL = """
# apply: seal a manifest for this cluster; what is sealed may be committed, and goes to standard output.
apply() {
  printf -- '---\\n'
  kubeseal --context "$context" --format yaml
}

# namespace NAME: a sealed secret brings none.
namespace() {
  :
}
"""
