// Every tool that models may call: one file each, and one line here.
export { currentTime, searchDocuments } from './agent/standard-tools.ts';
export { createTask, deleteTask, findTasks, updateTask } from './tasks/tools.ts';
