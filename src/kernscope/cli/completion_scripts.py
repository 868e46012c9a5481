"""Completion scripts, made from the tables of subcommands and options."""

from kernscope.cli import COMMANDS, command_named
from kernscope.cli.command import Group
from kernscope.cli.completion import ARGUMENTS
from kernscope.cli.options import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SCRIPTS"]

_FILE_VALUES = ("FILE", "DIR")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


# bash

_BASH = """\
# bash completion of kernscope; made by `kernscope completion bash`
_kernscope() {
    local line=${COMP_LINE:0:COMP_POINT} cur command previous words=""
    local -a typed
    read -ra typed <<< "$line"
    cur=""
    if [[ $line != *[[:space:]] ]]; then
        cur=${typed[-1]}
        unset 'typed[-1]'
    fi
    COMPREPLY=()
    command=${typed[1]}
    previous=${typed[-1]}
    if [[ -z $command ]]; then
        words="COMMANDS --help --version"
    else
        case "$command $previous" in
VALUES
        esac
        if [[ -z $words ]]; then
            if [[ $cur == -* ]]; then
                case "$command" in
OPTIONS
                esac
            else
                case "$command" in
ARGUMENTS
                esac
            fi
        fi
    fi
    [[ $words == "-" ]] && return
    local IFS=$' \\t\\n'
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace
    if [[ $COMP_WORDBREAKS == *:* && $cur == *:* ]]; then
        # bash takes what follows the last colon for a word of its own
        COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
    fi
}
complete -o bashdefault -o default -F _kernscope kernscope
"""


def _options(name: str) -> list[Option]:
    command = command_named(name)
    return command.all_options() if isinstance(command, Group) else command.options


def _bash() -> str:
    values, options, arguments = [], [], []
    for name in COMMANDS:
        known = _options(name)
        names = " ".join(n for option in known for n in option.names)
        options.append(f'                    {name}) words="{names}" ;;')
        for option in known:
            if option.value:
                # A value of other kinds is for the shell, which completes files, or for nobody.
                words = " ".join(option.choices) or "-"
                patterns = "|".join(f'"{name} {n}"' for n in option.names)
                values.append(f'            {patterns}) words="{words}" ;;')
        kind = ARGUMENTS.get(name)
        if kind is not None and kind != "files":
            asked = f'$(kernscope completion --words {kind} -- "$cur" 2>/dev/null)'
            arguments.append(f'                    {name}) words="{asked}" ;;')
    return (
        _BASH.replace("COMMANDS", " ".join(COMMANDS))
        .replace("VALUES", "\n".join(values))
        .replace("OPTIONS", "\n".join(options))
        .replace("ARGUMENTS", "\n".join(arguments))
    )


# zsh

_ZSH = """\
#compdef kernscope
# zsh completion of kernscope; made by `kernscope completion zsh`
_kernscope_words() {
    local -a found
    found=(${(f)"$(kernscope completion --words $1 -- "$PREFIX" 2>/dev/null)"})
    compadd -S '' -a found
}
_kernscope() {
    local -a commands
    commands=(
COMMANDS
    )
    if (( CURRENT == 2 )); then
        _describe 'command' commands
        return
    fi
    shift words
    (( CURRENT-- ))
    case $words[1] in
CASES
    esac
}
_kernscope "$@"
"""


def _zsh_text(text: str) -> str:
    for character in "\\[]:":
        text = text.replace(character, "\\" + character)
    return text


def _zsh_option(option: Option) -> list[str]:
    rows = []
    for name in option.names:
        others = f"({' '.join(option.names)})" if not option.many else "*"
        value = ""
        if option.choices:
            value = f":{option.value}:({' '.join(option.choices)})"
        elif option.value:
            value = f":{option.value}:{'_files' if option.value in _FILE_VALUES else ' '}"
        rows.append(_quoted(f"{others}{name}[{_zsh_text(option.help)}]{value}"))
    return rows


def _zsh() -> str:
    commands = [f"        {_quoted(f'{name}:{_zsh_text(meaning)}')}" for name, meaning in COMMANDS.items()]
    cases = []
    for name in COMMANDS:
        rows = [row for option in _options(name) for row in _zsh_option(option)]
        kind = ARGUMENTS.get(name)
        if kind is not None:
            rows.append(_quoted("*:file:_files" if kind == "files" else f"*:word: _kernscope_words {kind}"))
        separator = " \\\n                "
        cases.append(f"        {name})\n            _arguments -s {separator.join(rows)}\n            ;;")
    return _ZSH.replace("COMMANDS", "\n".join(commands)).replace("CASES", "\n".join(cases))


# fish


def _fish_option(command: str, option: Option) -> str:
    parts = [f"complete -c kernscope -n '__fish_seen_subcommand_from {command}'"]
    for name in option.names:
        parts.append(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}")
    if option.choices:
        parts.append(f"-x -a {_quoted(' '.join(option.choices))}")
    elif option.value:
        parts.append("-r -F" if option.value in _FILE_VALUES else "-x")
    parts.append(f"-d {_quoted(option.help)}")
    return " ".join(parts)


def _fish() -> str:
    lines = [
        "# fish completion of kernscope; made by `kernscope completion fish`",
        "complete -c kernscope -f",
    ]
    lines += [
        f"complete -c kernscope -n __fish_use_subcommand -a {name} -d {_quoted(meaning)}"
        for name, meaning in COMMANDS.items()
    ]
    for name in COMMANDS:
        lines += [_fish_option(name, option) for option in _options(name)]
        kind = ARGUMENTS.get(name)
        if kind is None:
            continue
        asked = (
            "-F" if kind == "files" else f"-a '(kernscope completion --words {kind} -- (commandline -ct))'"
        )
        lines.append(f"complete -c kernscope -n '__fish_seen_subcommand_from {name}' {asked}")
    return "\n".join(lines) + "\n"


SCRIPTS: "dict[str, Callable[[], str]]" = {"bash": _bash, "fish": _fish, "zsh": _zsh}
"""Shell → its script."""
