# Completion for bash, of all tools. The options are those that TOOL --help prints.
# shellcheck shell=bash

# _era_tools_options TOOL: a line for each option, and for one that takes a value a blank and the
# word that stands for it: "--quiet", "--output FILE", "-o FILE".
_era_tools_options() {
  "$1" --help 2>/dev/null | sed -nE \
    -e 's/^  (-.), (--[a-z-]+)( ([A-Z]+))?( .*|$)/\1\3\n\2\3/p' \
    -e 's/^      (--[a-z-]+)( ([A-Z]+))?( .*|$)/\1\2/p'
}

# The names of active devices with this target; none where nobody may ask for them.
_era_tools_devices() {
  PATH=$PATH:/usr/sbin:/sbin dmsetup ls --target "$1" 2>/dev/null | sed -nE 's/^(.+)\t\(.*\)$/\1/p'
}

# _era_tools_formats TOOL: what its --format takes.
_era_tools_formats() {
  case $1 in
    era_invalidate)
      printf '%s\n' xml json rbd-diff ddrescue extentlist bmap blocks ranges bitmap
      ;;
    *) printf '%s\n' text json ;;
  esac
}

# What era_message sends and asks.
_era_tools_messages() {
  printf '%s\n' checkpoint take_metadata_snap drop_metadata_snap status table
}

# _era_tools_offer WORD: the lines of standard input that begin so. They are names that others
# have chosen, so that no shell may expand them, as compgen -W would.
_era_tools_offer() {
  local line quoted
  while IFS= read -r line; do
    if [[ $line == "$1"* ]]; then
      printf -v quoted %q "$line"
      COMPREPLY+=("$quoted")
    fi
  done
}

_era_tools_offer_files() {
  local line
  compopt -o filenames 2>/dev/null
  while IFS= read -r line; do
    COMPREPLY+=("$line")
  done < <(compgen -f -- "$1")
}

# _era_tools_offer_values TOOL OPTION PLACEHOLDER WORD
_era_tools_offer_values() {
  local name=${1##*/}
  case $2:$3 in
    --cache:NAME) _era_tools_offer "$4" < <(_era_tools_devices cache) ;;
    *:NAME) _era_tools_offer "$4" < <(_era_tools_devices era) ;;
    *:FORMAT) _era_tools_offer "$4" < <(_era_tools_formats "$name") ;;
    *:WHEN) _era_tools_offer "$4" < <(printf '%s\n' auto always never) ;;
    *:UNIT) _era_tools_offer "$4" < <(printf '%s\n' blocks sectors bytes) ;;
    *:FILE | *:DEVICE | *:METADATA | *:SOCKET) _era_tools_offer_files "$4" ;;
  esac
}

_era_tools() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} tool=${COMP_WORDS[0]}
  local options option placeholder prefix='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    if [ "${COMP_WORDS[i]}" = -- ]; then
      _era_tools_offer_files "$word"
      return
    fi
  done
  # Where = separates words, --format=json is three of them.
  if [ "$word" = = ]; then
    word=''
  elif [ "$before" = = ] && [ "$COMP_CWORD" -gt 2 ]; then
    before=${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ $word == --*=* ]]; then
    before=${word%%=*}
    prefix=$before=
    word=${word#*=}
  fi
  mapfile -t options < <(_era_tools_options "$tool")
  for option in "${options[@]}"; do
    placeholder=${option#* }
    option=${option%% *}
    if [ "$option" = "$before" ] && [ "$placeholder" != "$option" ]; then
      _era_tools_offer_values "$tool" "$option" "$placeholder" "$word"
      COMPREPLY=("${COMPREPLY[@]/#/$prefix}")
      return
    fi
  done
  if [[ $word == -* ]]; then
    _era_tools_offer "$word" <<<"$(printf '%s\n' "${options[@]%% *}")"
  elif [ "${tool##*/}" = era_message ]; then
    _era_tools_offer "$word" < <(_era_tools_messages)
  else
    _era_tools_offer_files "$word"
  fi
}

complete -F _era_tools era_cache_invalidate era_check era_copy era_dump era_invalidate \
  era_message era_metadata_size era_repair era_restore era_simulate era_stat
