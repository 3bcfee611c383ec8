import type { Request, Response } from 'express';
import type { z } from 'zod';
import type { Operation } from '../contract/operations/operation.ts';
import type { OperationId } from '../contract/operations.ts';
import type { Scope } from '../contract/scalars.ts';
import type { Principal } from './permission.ts';

/**
 * What a call needs: a scope on the service that the path names, or on the whole agent where it names none;
 * `some`: a scope on at least one service, where the handler asks for each service that it touches;
 * `public`: nothing at all.
 */
export type Permission = Scope | { readonly some: Scope } | 'public';

/** The permission of calls that concern many services: their handlers ask for each. */
export function some(scope: Scope): Permission {
  return { some: scope };
}

type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

/** A call that may be made and whose parts are what the contract asks for. */
export interface Call<O extends Operation = Operation> {
  readonly path: Parsed<O['path']>;
  readonly query: Parsed<O['query']>;
  readonly body: Parsed<O['body']>;
  readonly principal: Principal;
  readonly request: Request;
  readonly response: Response;
}

/** The mark of a handler that has taken over the response itself. */
export const streamed = Symbol('streamed');

export type Handler<O extends Operation> = (
  call: Call<O>,
) => z.input<O['answer']> | typeof streamed | Promise<z.input<O['answer']> | typeof streamed>;

/** One line of the table of routes. */
export interface Route {
  readonly verb: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** As OpenAPI writes them: `/service/{id}/status`. */
  readonly path: string;
  readonly permission: Permission;
  readonly id: OperationId;
  readonly operation: Operation;
  readonly handler: Handler<Operation>;
}
