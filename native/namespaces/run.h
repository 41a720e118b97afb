#pragma once

#include <functional>
#include <optional>
#include <string>

namespace earshot::namespaces {

/**
 * Runs `read` in the network namespace that `path` names, or right here where there is no path. The
 * namespace is entered by a thread of its own that ends with the read: the calling thread (Node's
 * main thread, or one of the pool that others use too) stays where it is. What `read` throws is
 * thrown here.
 */
void run(const std::optional<std::string>& path, const std::function<void()>& read);

/** Has the calling thread enter the namespace for good; it stays where it is where there is no
 * path. */
void enter(const std::optional<std::string>& path);

}  // namespace earshot::namespaces
