import type { ChildProcess } from 'node:child_process';

/** Sends a question to a forked process and waits for its answer; one question at a time. */
export function ask<Answer>(child: ChildProcess, question: object | number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error('a process of the bench ended before it answered'));
    child.once('exit', ended);
    child.once('message', (answer) => {
      child.off('exit', ended);
      resolve(answer as Answer);
    });
    child.send(question, (error) => (error ? reject(error) : undefined));
  });
}
