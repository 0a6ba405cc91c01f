// statement.mjs - statement files of the organisation portal, as a shop downloads them.
import { SHORT_CODE } from './operator.mjs';

const shillings = (cents) => (cents / 100).toFixed(2);

// A statement of the organisation portal: rows of [receipt, time, cents in, phone, account].
export function portal(rows, opening = 0) {
    let balance = opening;
    const lines = rows.map(([receipt, time, cents, phone, account]) => {
        balance += cents;
        return [receipt, time, time, 'Pay Bill from customer', 'Completed', shillings(cents), '',
                shillings(balance), '', 'Pay Bill Online', `${phone} - CUSTOMER`, '', account].join(',');
    });
    return ['Organization: Shop', `Short Code: ${SHORT_CODE}`,
            'Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,' +
            'Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.',
            ...lines, ''].join('\n');
}

// In Kenya's time, as statements have it.
export const kenyan = (iso) => {
    const [date, time] = new Date(Date.parse(iso) + 3 * 3600 * 1000).toISOString().split(/[T.]/);
    const [year, month, day] = date.split('-');
    return `${day}-${month}-${year} ${time}`;
};
