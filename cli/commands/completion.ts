import { Argument, type Command, type Option } from 'commander';
import { runs } from '../command.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

export function completionCommand(program: Command): void {
  program
    .command('completion')
    .description('completion for a shell')
    .addArgument(new Argument('<shell>').choices(shells))
    .option('--json', 'print JSON')
    .action(
      runs(async ({ out }, shell: (typeof shells)[number]) => {
        const script = scripts[shell](wordsOf(program));
        out.data({ shell, script }, [script]);
        return undefined;
      }),
    );
}

/** What can follow each command: its commands and options. */
type Words = readonly { readonly path: string; readonly next: readonly string[] }[];

function wordsOf(command: Command, path: readonly string[] = []): Words {
  const names = command.commands.map((child) => child.name());
  const options = command.options.map((option: Option) => option.long ?? '').filter((name) => name !== '');
  const below = command.commands.flatMap((child) => wordsOf(child, [...path, child.name()]));
  return [{ path: path.join(' '), next: [...names, ...options] }, ...below];
}

const scripts: Record<(typeof shells)[number], (words: Words) => string> = {
  bash: (words: Words) => `_holdfast() {
  local path="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${words.map(({ path, next }) => `    "${path}"${path.includes(' ') ? '*' : ''}) COMPREPLY=($(compgen -W "${next.join(' ')}" -- "\${COMP_WORDS[COMP_CWORD]}")) ;;`).join('\n')}
  esac
}
complete -F _holdfast holdfast`,
  zsh: (words: Words) => `autoload -U +X bashcompinit && bashcompinit\n${scripts.bash(words)}`,
  fish: (words: Words) =>
    words
      .flatMap(({ path, next }) => {
        const seen =
          path === ''
            ? '__fish_use_subcommand'
            : path
                .split(' ')
                .map((word) => `__fish_seen_subcommand_from ${word}`)
                .join('; and ');
        return next.map((word) => `complete -c holdfast -f -n '${seen}' -a '${word}'`);
      })
      .join('\n'),
};
