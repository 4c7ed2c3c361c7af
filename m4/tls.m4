# SPDX-License-Identifier: MIT
#
# tls.m4 - encrypted upstreams of dns-upstream

# SLUICE_UPSTREAM_TLS
# -------------------
# Where dns-upstream is a file, what it needs for TLS and HTTPS is a module
# beside it, loaded for the first such server; where it is static, that is in
# the program, if asked for.
AC_DEFUN([SLUICE_UPSTREAM_TLS], [
AC_ARG_WITH([tls],
  [AS_HELP_STRING([--with-tls=openssl|no],
    [tls:// and https:// of dns-upstream, by OpenSSL and nghttp2
     @<:@openssl where dns-upstream is shared and these are here@:>@])],
  [AS_CASE([$with_tls], [openssl|no], [], [yes], [with_tls=openssl],
    [AC_MSG_ERROR([--with-tls=$with_tls: openssl or no])])],
  [AS_CASE([$with_plugin_dns_upstream],
    [shared], [with_tls=check], [with_tls=no])])
upstream_tls=no
AS_IF([test "x$with_tls" != xno],
  [PKG_CHECK_MODULES([TLS], [openssl >= 3.0 libnghttp2 >= 1.40],
    [AS_CASE([$with_plugin_dns_upstream],
      [shared], [upstream_tls=module], [static], [upstream_tls=static])],
    [AS_IF([test "x$with_tls" != xcheck],
      [AC_MSG_ERROR([OpenSSL 3 or nghttp2 is missing: install libssl-dev and libnghttp2-dev])])])])
UPSTREAM_TLS_CPPFLAGS=
AS_CASE([$upstream_tls],
  [module], [UPSTREAM_TLS_CPPFLAGS=-DUPSTREAM_TLS_MODULE],
  [static], [UPSTREAM_TLS_CPPFLAGS=-DUPSTREAM_TLS])
AC_SUBST([UPSTREAM_TLS_CPPFLAGS])
AM_CONDITIONAL([UPSTREAM_TLS_MODULE], [test "x$upstream_tls" = xmodule])
AM_CONDITIONAL([UPSTREAM_TLS_STATIC], [test "x$upstream_tls" = xstatic])
])
