#pragma once

#include <cstdint>
#include <vector>

namespace earshot::sockets {

/**
 * Every TCP socket is in one of two halves, by its ports, which it keeps: on servers, clients and
 * what stands between about as many in the one as in the other.
 */
enum class Half : uint8_t { kFirst, kSecond };

Half halfOf(uint16_t localPort, uint16_t remotePort);

/** The same for the kernel, INET_DIAG_REQ_BYTECODE: lets the sockets of a half through. */
std::vector<uint8_t> programOf(Half half);

}  // namespace earshot::sockets
