import { Option, type Command } from 'commander';
import { leaf, runs } from '../command.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

export function completionCommand(program: Command): void {
  const completion = leaf(program, 'completion <shell>', `completion for ${shells.join(', ')}`);
  completion.action(
    runs(async ({ out }, shell: string) => {
      const { usageError } = await import('../cli-error.ts');
      const write = scripts[shell as (typeof shells)[number]] as ((words: Words) => string) | undefined;
      if (write === undefined) throw usageError(`no completion for ${shell}; there is one for ${shells.join(', ')}`);
      const script = write(wordsOf(program));
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
