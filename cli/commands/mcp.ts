import type { Command } from 'commander';
import { leaf, runs } from '../command.ts';

export function mcpCommand(program: Command): void {
  leaf(program, 'mcp', 'the MCP server on stdin and stdout, for a host of agents; it asks the API').action(
    runs(async ({ config, out }) => {
      const { bridge } = await import('../mcp-bridge.ts');
      const { findTarget } = await import('../target.ts');
      // Found anew for every message: Holdfast may be started, or started elsewhere, while the host keeps this running.
      const target = () => findTarget(config);
      target();
      await bridge({ input: process.stdin, write: (line) => process.stdout.write(line), report: out.message, target });
      return undefined;
    }),
  );
}
