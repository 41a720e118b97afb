#pragma once

#include <functional>
#include <string_view>

#include "sockets/query.h"
#include "sockets/table.h"

namespace earshot::sockets::procfs {

/**
 * Decodes the text of proc_net(5)'s tcp, tcp6, udp or udp6 and gives each row to `take`; throws
 * what is wrong with a line, with its number. `littleEndian`: of the host that wrote it.
 */
void decode(std::string_view text, TableName name, bool littleEndian,
            const std::function<void(const Row&)>& take);

/** As above, for the table of the calling thread's own network namespace. */
void read(TableName name, const std::function<void(const Row&)>& take);

/** Has the calling thread's network namespace no IPv6 at all? */
bool lacksIpv6();

}  // namespace earshot::sockets::procfs
