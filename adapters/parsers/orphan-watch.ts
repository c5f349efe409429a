// The thread of a child of the parser pool that ends it when its parent is gone.

const everyMs = 500;
const parent = process.ppid;

setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
}, everyMs);
