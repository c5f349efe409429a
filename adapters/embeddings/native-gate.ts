/**
 * Between a thread that runs native code and whoever would end it. The runtime of the model brings the whole process down when
 * its thread is ended in the middle of a call, by process.exit() too: so such an end waits for the call.
 */
export type NativeGate = Int32Array<SharedArrayBuffer>;

const inside = 0;
const closed = 1;
// Far longer than one text or the loading of a model takes.
const longestCallMs = 10_000;

export function createNativeGate(): NativeGate {
  return new Int32Array(new SharedArrayBuffer(8));
}

/** In the thread: one call at a time. Never settles once the gate is closed: the thread is about to end. */
export async function throughGate<T>(gate: NativeGate, call: () => Promise<T>): Promise<T> {
  Atomics.store(gate, inside, 1);
  if (Atomics.load(gate, closed) === 1) {
    leave(gate);
    return new Promise(() => undefined);
  }
  return call().finally(() => leave(gate));
}

function leave(gate: NativeGate): void {
  Atomics.store(gate, inside, 0);
  Atomics.notify(gate, inside);
}

/** Outside: no call begins any more. */
export function closeGate(gate: NativeGate): void {
  Atomics.store(gate, closed, 1);
}

/** Outside, where nothing can be awaited any more: blocks this thread until none is running. */
export function waitAtGate(gate: NativeGate): void {
  closeGate(gate);
  Atomics.wait(gate, inside, 1, longestCallMs);
}
