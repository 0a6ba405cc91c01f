/*
 * gateway_old.c - payments for reading, whether they are in memory or have left it
 * (docs/decisions/0011): the ordinary look-ups, after what is named has been fetched.
 *
 * Guarantees: reads only. What is found is good until the next of these calls or the next command,
 * whichever comes first: of what has left, only one at a time is at hand.
 */
#include "face/gateway.h"

const struct gateway_payment *gateway_reach(struct surface *s, uint64_t number)
{
    struct old_name name = gateway_payment_name(number);
    s->index_unread = false;
    bool there = number != 0 && surface_reach(s, &name);
    return there ? gateway_payment(surface_gateway(s), number) : NULL;
}

const struct gateway_payment *gateway_reach_token(struct surface *s, const uint8_t token[16])
{
    struct old_name name = gateway_token_name(token);
    return surface_reach(s, &name) ? gateway_payment_by_token(surface_gateway(s), token) : NULL;
}

const struct gateway_payment *gateway_reach_receipt(struct surface *s, uint32_t provider,
                                                    struct span receipt)
{
    s->index_unread = false;
    if (receipt.size == 0) {
        return NULL;
    }
    struct old_name name = gateway_receipt_name(provider, receipt);
    return surface_reach(s, &name)
               ? gateway_payment_by_receipt(surface_gateway(s), provider, receipt)
               : NULL;
}

const struct gateway_payment *gateway_reach_order(struct surface *s, uint32_t merchant,
                                                  struct span order)
{
    s->index_unread = false;
    if (order.size == 0) {
        return NULL;
    }
    struct old_name name = gateway_order_name(merchant, order);
    return surface_reach(s, &name) ? gateway_payment_of_order(surface_gateway(s), merchant, order)
                                   : NULL;
}

const struct gateway_notice *gateway_reach_notice(struct surface *s, uint64_t number)
{
    struct old_name name = gateway_notice_name(number);
    return surface_reach(s, &name) ? gateway_notice(surface_gateway(s), number) : NULL;
}
