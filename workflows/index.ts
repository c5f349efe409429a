export { collectGenerations } from './collect-generations.ts';
export { deploy } from './deploy.ts';
export { evaluation } from './evaluation.ts';
export { refreshProject } from './refresh-project.ts';
export { stopService } from './stop-service.ts';
export { watchService } from './watch-service.ts';
export { wave } from './wave.ts';
