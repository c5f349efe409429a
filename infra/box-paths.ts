import { join } from 'node:path';
import type { Config } from './config.ts';
import { packageRoot } from './package-root.ts';

/** Where a box keeps what it runs, and the compiled programs that outlive the worker. */
export function boxPaths({ home, dockerHost }: Pick<Config, 'home' | 'dockerHost'>) {
  return {
    ...{ home, dockerHost },
    keeperPath: join(packageRoot, 'dist/adapters/process/keeper.js'),
    forwarderPath: join(packageRoot, 'dist/adapters/switch/forwarder.js'),
  };
}

/** The compiled program of the thread that embeds. */
export const embeddingProgram: string = join(packageRoot, 'dist/adapters/embeddings/onnx-thread.js');
