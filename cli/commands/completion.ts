import { Argument, type Command, type Option } from 'commander';
import { leaf, runs } from '../command.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

export function completionCommand(program: Command): void {
  leaf(program, 'completion', 'completion for a shell')
    .addArgument(new Argument('<shell>').choices(shells))
    .action(
      runs(async ({ out }, shell: (typeof shells)[number]) => {
        const script = scripts[shell](wordsOf(program));
        out.data({ shell, script }, [script]);
        return undefined;
      }),
    );
}

/** What can follow a command: its commands and options. */
interface Words {
  readonly path: readonly string[];
  readonly commands: readonly string[];
  readonly options: readonly string[];
}

function wordsOf(command: Command, path: readonly string[] = []): readonly Words[] {
  const commands = command.commands.map((child) => child.name());
  const options = command.options.map((option: Option) => option.long ?? '').filter((name) => name !== '');
  const below = command.commands.flatMap((child) => wordsOf(child, [...path, child.name()]));
  return [{ path, commands, options: [...options, '--help'] }, ...below];
}

const scripts: Record<(typeof shells)[number], (words: readonly Words[]) => string> = {
  bash,
  zsh: (words) => `autoload -U +X bashcompinit && bashcompinit\n${bash(words)}`,
  fish: (words) => words.flatMap(fishLines).join('\n'),
};

/** The words typed so far, without options, choose the case; behind a command that takes arguments anything may stand. */
function bash(words: readonly Words[]): string {
  const cases = words.map(({ path, commands, options }) => {
    const typed = path.join(' ');
    const pattern = commands.length === 0 ? `"${typed}"|"${typed} "*` : `"${typed}"`;
    return `    ${pattern}) next="${[...commands, ...options].join(' ')}" ;;`;
  });
  return `_holdfast() {
  local typed="" next="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) typed="\${typed:+$typed }$word" ;; esac
  done
  case "$typed" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$next" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _holdfast holdfast`;
}

function fishLines({ path, commands, options }: Words): string[] {
  const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`);
  const notYet = commands.length === 0 ? [] : [`not __fish_seen_subcommand_from ${commands.join(' ')}`];
  const when = [...seen, ...notYet].join('; and ');
  const words = commands.map((word) => `complete -c holdfast -f -n '${when}' -a '${word}'`);
  return [...words, ...options.map((word) => `complete -c holdfast -f -n '${when}' -l '${word.slice(2)}'`)];
}
