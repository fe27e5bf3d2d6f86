# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What key_mgmt_util prints, as its vendors document it: data for the tests of the parsers, each with its source.

AWS: AWS CloudHSM user guide (2023), pages key_mgmt_util-…; Azure: Azure Cloud HSM, PKCS#11 certificate storage;
Alibaba: Alibaba Cloud HSM, key_mgmt_tool; Oracle: OCI Dedicated KMS, key management utility.
"""

from __future__ import annotations

# AWS, genRSAKeyPair, 'Create and examine an RSA key pair'
RSA_PAIR = """\
Cfm3GenerateKeyPair returned: 0x00 : HSM Return: SUCCESS

        Cfm3GenerateKeyPair:    public key handle: 2100177    private key handle: 2100426

        Cluster Status:
        Node id 0 status: 0x00000000 : HSM Return: SUCCESS
        Node id 1 status: 0x00000000 : HSM Return: SUCCESS
"""
# AWS, genRSAKeyPair, 'Generate a shared RSA key pair': -u 4 -m_value 2
SHARED_PAIR = """\
        Cfm3GenerateKeyPair returned: 0x00 : HSM Return: SUCCESS

        Cfm3GenerateKeyPair:    public key handle: 27    private key handle: 28

        Cluster Error Status
        Node id 0 and err state 0x00000000 : HSM Return: SUCCESS
        Node id 1 and err state 0x00000000 : HSM Return: SUCCESS
"""
# AWS, genECCKeyPair, 'Create and examine an ECC key pair': the private handle is the lower one
ECC_PAIR = """\
        Cfm3GenerateKeyPair returned: 0x00 : HSM Return: SUCCESS

        Cfm3GenerateKeyPair:    public key handle: 262179    private key handle: 262177

        Cluster Error Status
        Node id 2 and err state 0x00000000 : HSM Return: SUCCESS
        Node id 1 and err state 0x00000000 : HSM Return: SUCCESS
        Node id 0 and err state 0x00000000 : HSM Return: SUCCESS
"""
# AWS, genECCKeyPair, 'Using an invalid EEC curve'
CURVE_REFUSED = """\
        Cfm3GenerateKeyPair returned: 0xb3 : HSM Error: This operation violates the current configured/FIPS policies

        Cluster Error Status
        Node id 0 and err state 0x30000085 : HSM CLUSTER ERROR: Server in cluster is unavailable
"""
# AWS, genDSAKeyPair: a colon after the call
DSA_PAIR = """\
        Cfm3GenerateKeyPair: returned: 0x00 : HSM Return: SUCCESS

        Cfm3GenerateKeyPair:    public key handle: 12    private key handle: 14

        Cluster Error Status
        Node id 0 and err state 0x00000000 : HSM Return: SUCCESS
"""
# Azure: single-command mode, with banner, login and an echo whose case differs from what was typed
AZURE_SINGLE = """\
Version info, Client Version: 2.09.07.02, SDK API Version: 2.09.07.02, SDK Package Version: 2.0.1.2

Cfm3Initialize() returned app id : 01000000

    session_handle 1000000

    Current FIPS mode is: 00000000

Cfm3LoginHSM returned: 0x00 : HSM Return: SUCCESS

Cluster Status:
Node id 1 status: 0x00000000 : HSM Return: SUCCESS
Node id 2 status: 0x00000000 : HSM Return: SUCCESS
Node id 3 status: 0x00000000 : HSM Return: SUCCESS
Command: genRSAKeyPair -m 2048 -e 65537 -L signkeyid -id signkeyid

Cfm3GenerateKeyPair returned: 0x00 : HSM Return: SUCCESS

Cfm3GenerateKeyPair:    public key handle: 262151    private key handle: 262152

Cluster Status:
Node id 1 status: 0x00000000 : HSM Return: SUCCESS
Node id 2 status: 0x00000000 : HSM Return: SUCCESS
Node id 3 status: 0x00000000 : HSM Return: SUCCESS
"""
# Alibaba, genRSAKeyPair
ALIBABA_PAIR = """\

       \tCfm3GenerateKeyPair returned: 0x00 : HSM Return: SUCCESS

       \tCfm3GenerateKeyPair:    public key handle: 14    private key handle: 15

       \tCluster Status:
       \tNode id 0 status: 0x00000000 : HSM Return: SUCCESS
"""
# AWS, loginHSM with -hpswd; and Oracle's
LOGIN = """\

Cfm3LoginHSM returned: 0x00 : HSM Return: SUCCESS

Cluster Status
Node id 0 and err state 0x00000000 : HSM Return: SUCCESS
Node id 1 and err state 0x00000000 : HSM Return: SUCCESS
Node id 2 and err state 0x00000000 : HSM Return: SUCCESS

"""
ORACLE_LOGIN = """\
KeyMgmtUtilsLoginHSM returned: 0x00 : HSM Return: SUCCESS
Cluster Status:

Node id 0 status: 0x00000000 : HSM Return: SUCCESS
Node id 1 status: 0x00000000 : HSM Return: SUCCESS
Node id 2 status: 0x00000000 : HSM Return: SUCCESS
"""
# The code of AWS, 'interpreting audit logs'; the text of a public script; its place is that of AWS, verify.
LOGIN_REFUSED = """\

        Cfm3LoginHSM returned: 0xa3

        HSM Error: RET_USER_LOGIN_FAILURE
"""
# AWS, findKey
FOUND = """\
Total number of keys present 13

 number of keys matched from start index 0::12
6, 7, 524296, 9, 262154, 262155, 262156, 262157, 262158, 262159, 262160, 262161, 262162

        Cluster Error Status
        Node id 1 and err state 0x00000000 : HSM Return: SUCCESS
        Node id 0 and err state 0x00000000 : HSM Return: SUCCESS

        Cfm3FindKey returned: 0x00 : HSM Return: SUCCESS
"""
FOUND_HANDLES = (6, 7, 524296, 9, *range(262154, 262163))
# AWS KMS, custom key stores: the range of one key differs from page to page (0::0 in AWS CloudHSM's own)
FOUND_ONE = """\
Total number of keys present 1

 number of keys matched from start index 0::1
262162

        Cluster Error Status
        Node id 1 and err state 0x00000000 : HSM Return: SUCCESS
        Node id 0 and err state 0x00000000 : HSM Return: SUCCESS

        Cfm3FindKey returned: 0x00 : HSM Return: SUCCESS
"""
# A public script that reads another build's output
FOUND_OTHERWISE = """\
Total number of keys present: 1
Handles of matching keys:\t262162
        Cfm3FindKey returned: 0x00 : HSM Return: SUCCESS
"""
# The form of the tool's first edition (Cavium, 2017): fifteen handles a line
FOUND_CAVIUM = """\
\tTotal number of keys present: 17

\tNumber of matching keys from start index 0::16

\tHandles of matching keys:
\t1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
\t16, 17

\tCluster Status:
\tNode id 0 status: 0x00000000 : HSM Return: SUCCESS

\tCfm3FindKey returned: 0x00 : HSM Return: SUCCESS
"""
# AWS, setAttribute: findKey -sess 1 afterwards
FOUND_NONE = """\
Total number of keys present 0

        Cluster Error Status
        Node id 1 and err state 0x00000000 : HSM Return: SUCCESS
        Node id 0 and err state 0x00000000 : HSM Return: SUCCESS

        Cfm3FindKey returned: 0x00 : HSM Return: SUCCESS
"""
# AWS, findSingleKey
FOUND_SINGLE = """\
Cfm3FindKey returned: 0x00 : HSM Return: SUCCESS

        Cluster Error Status
        Node id 2 and err state 0x00000000 : HSM Return: SUCCESS
        Node id 1 and err state 0x00000000 : HSM Return: SUCCESS
        Node id 0 and err state 0x00000000 : HSM Return: SUCCESS
"""
# AWS, deleteKey: one that went well, one of an unknown handle, one of another's key
DELETED = """\

        Cfm3DeleteKey returned: 0x00 : HSM Return: SUCCESS

        Cluster Error Status
        Node id 1 and err state 0x00000000 : HSM Return: SUCCESS
        Node id 2 and err state 0x00000000 : HSM Return: SUCCESS
"""
DELETED_UNKNOWN = """\

        Cfm3FindKey returned: 0xa8 : HSM Error: Invalid object handle is passed to this operation

        Cluster Error Status
        Node id 1 and err state 0x000000a8 : HSM Error: Invalid object handle is passed to this operation
        Node id 2 and err state 0x000000a8 : HSM Error: Invalid object handle is passed to this operation
"""
DELETED_DENIED = """\

Cfm3DeleteKey returned: 0xc6 : HSM Error: Key Access is denied.
"""
# AWS, getKeyInfo; 'with two users' and 'for a key with a quorum'
INFO_SHARED = """\
       Cfm3GetKey returned: 0x00 : HSM Return: SUCCESS

       Owned by user 3

       also, shared to following 2 user(s):

                4
                5
"""
INFO_PUBLIC = """\
       Cfm3GetKey returned: 0x00 : HSM Return: SUCCESS

       Owned by user 3
"""
INFO_QUORUM = """\
        Cfm3GetKey returned: 0x00 : HSM Return: SUCCESS

        Owned by user 3

        also, shared to following 1 user(s):

                 4
         2 Users need to approve to use/manage this key
"""
# AWS, genSymKey: the ids in one line
INFO_ONE_LINE = """\
       Cfm3GetKey returned: 0x00 : HSM Return: SUCCESS

       Owned by user 3

       also, shared to following 2 user(s):

                4, 5
"""
# Alibaba, getKeyInfo
INFO_ALIBABA = """\

       \tCfm3GetKey returned: 0x00 : HSM Return: SUCCESS

       \tOwned by user: 3
"""
# The form of the tool's first edition (Cavium, 2017)
INFO_CAVIUM = """\

\tCfm3GetKeyInfo returned: 0x00 : HSM Return: SUCCESS

\tOwned by user: 3

\tShared with following 1 user(s):

\t\t4
\t 2 Users need to approve to use/manage this key
"""
# The form of the tool's first edition: a key that nobody owns, and one that more share than are printed
INFO_GLOBAL = """\

\tCfm3GetKey returned: 0x00 : HSM Return: SUCCESS

\tAlso, global Key, accessible by all users
"""
INFO_MANY = """\

\tCfm3GetKey returned: 0x00 : HSM Return: SUCCESS

\tOwned by user: 3

\tShared with following 8 user(s):
\t\t 4
\t\t 5
\t\t 6
\t\t 7
\t\t 8
\t\t 9
\t\t 10

"""
# AWS, listUsers: it tells four users and lists five
USERS = """\
        Number Of Users found 4

        Index       User ID     User Type       User Name           MofnPubKey    LoginFailureCnt         2FA
        1                1      PCO             admin                     NO               0               NO
        2                2      AU              app_user                  NO               0               NO
        3                3      CU              alice                     YES              0               NO
        4                4      CU              bob                       NO               0               NO
        5                5      CU              trent                     YES              0               NO

        Cfm3ListUsers returned: 0x00 : HSM Return: SUCCESS
"""
# AWS, genECCKeyPair and genRSAKeyPair: getAttribute
ATTRIBUTES_19 = """\
got all attributes of size 529 attr cnt 19
Attributes dumped into attr_262177

        Cfm3GetAttribute returned: 0x00 : HSM Return: SUCCESS
"""
ATTRIBUTES_26 = """\
Attribute size: 801, count: 26
Written to: attr_2100177 file

        Cfm3GetAttribute returned: 0x00 : HSM Return: SUCCESS
"""
# AWS, sign; Alibaba, sign
SIGNED = """\
Cfm3Sign returned: 0x00 : HSM Return: SUCCESS

signature is written to file signedFile

Cluster Error Status
Node id 0 and err state 0x00000000 : HSM Return: SUCCESS
Node id 1 and err state 0x00000000 : HSM Return: SUCCESS
Node id 2 and err state 0x00000000 : HSM Return: SUCCESS
"""
SIGNED_ALIBABA = """\

       \tSignature creation successful

       \tsignature is written to file signedFile

       \tCfm3Sign: sign returned: 0x00 : HSM Return: SUCCESS
"""
# AWS, genSymKey with -attest: where the line stands; here after the handles of a pair
ATTESTED = """\
        Cfm3GenerateKeyPair returned: 0x00 : HSM Return: SUCCESS

        Cfm3GenerateKeyPair:    public key handle: 524294    private key handle: 524296

        Attestation Check : [PASS]

        Cluster Error Status
        Node id 1 and err state 0x00000000 : HSM Return: SUCCESS
        Node id 0 and err state 0x00000000 : HSM Return: SUCCESS
"""
