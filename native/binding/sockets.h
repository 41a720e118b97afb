#pragma once

#include "binding/work.h"
#include "sockets/read.h"

namespace earshot::binding {

extern const Question<sockets::Query, sockets::Reading> kReadSockets;
extern const Question<sockets::Query, std::vector<sockets::Recording>> kDumpSockets;

Napi::Value decodeSockets(const Napi::CallbackInfo& info);
Napi::Value decodeProcSockets(const Napi::CallbackInfo& info);

}  // namespace earshot::binding
