import { readFileSync } from 'node:fs';
import { workflowBundle } from '../support/workflow-bundle.ts';

test('O8 the bundle of workflows has no library of schemas in it: each start of a worker, and each replay, reads all of it', () => {
  const bundle = readFileSync(workflowBundle().codePath, 'utf8');
  expect(bundle).toContain('workflows/restore');
  expect(bundle).not.toContain('node_modules/zod');
});
