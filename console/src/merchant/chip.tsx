// chip.tsx - the state of a gateway payment in both vocabularies: ours and the STK guide's (R2.1).
import type { JSX } from 'preact';
import type { Status } from '../model';
import { StatusChip } from '../ui';

const LOOKS: Record<string, Status> = { suspense: 'PROCESSING', assigned: 'SUCCESS', taken_back: 'CANCELLED',
    created: 'PENDING', submitted: 'PENDING', pending: 'PROCESSING', unconfirmed: 'PROCESSING',
    mismatched: 'FAILED', succeeded: 'SUCCESS', failed: 'FAILED', expired: 'FAILED', cancelled: 'CANCELLED', reversed: 'CANCELLED' };

export function PaymentChip({ payment }: { payment: { status: string; stk_state?: string } }): JSX.Element {
    return <span class="both"><StatusChip status={LOOKS[payment.status] ?? 'PENDING'} word={payment.status.replace('_', ' ')} />{payment.stk_state ? <small>{payment.stk_state}</small> : null}</span>;
}
