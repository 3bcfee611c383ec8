import type { Command } from 'commander';
import type { OperationResult } from '../contract/services.ts';
import { serviceArgument, servicePath, wholeNumber } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { examples } from './help.ts';
import { operationText } from './operation.ts';

export function addScale(program: Command, act: Act): void {
  program
    .command('scale')
    .description('Change how many instances of a service run; those that stay are not touched.')
    .argument('<service>', 'the service', serviceArgument)
    .argument('<number>', 'how many are to run', wholeNumber())
    .addHelpText('after', examples(['davit scale web 3']))
    .action(
      act(async ({ agent, terminal, json }: Run, _options: object, service: string, instances: number) => {
        const result = await agent().post<OperationResult>(servicePath(service, '/scale'), { instances });
        if (json) terminal.json(result);
        else terminal.print(operationText(result));
      }),
    );
}
