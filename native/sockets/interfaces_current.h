#pragma once

#include <memory>

#include "sockets/interface_list.h"
#include "sockets/kept_socket.h"

namespace earshot::sockets {

/**
 * The interfaces of the calling thread's namespace by rtnetlink, read anew only when the kernel has
 * told of a change since, or the thread is in another namespace than the last one that asked. Keeps
 * one socket open that listens to the kernel.
 */
std::shared_ptr<const InterfaceList> currentInterfaces(const NamespaceId& here);

}  // namespace earshot::sockets
