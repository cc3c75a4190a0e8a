//! A token signed with an RSA key of 1024 bits. The token is a constant, because no library here
//! signs with such a short key. The key was made for this test and is used nowhere else.

/// The modulus of the public key.
pub(super) const MODULUS: &str = "\
    pPCPmpFFgr-uqReoOq85hcALXX8lDKpslmzayzn3CiREU8hMpQk9Hm3KvNyBH7BcI9WnP_dVx_hy9q5sPZDrYhqR\
    zOPQl9H8XH69De63pXxUz6RSzrR9NOL3olZg5JKInL36Rh-zxQbLpgl9CCRQTMP1V8kt7I7cFWmEB4ejwEM";

/// A token that would be accepted if its key were longer.
pub(super) const TOKEN: &str = "\
    eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6InNob3J0In0.eyJpc3MiOiJodHRwczovL2lzc3Vl\
    ci5leGFtcGxlL3QiLCJhdWQiOiJodHRwOi8vbG9jYWxob3N0OjMwMDIvbWNwIiwic3ViIjoiYWRhIiwiZXhwIjoy\
    MDAwMDAwMDYwLCJzY29wZSI6ImE6cmVhZCJ9.BhMsW4WR3j7uI52Tfh25uQu7rXaHN1I2cNi-YYomdnwyyZHSpCp\
    9NO_4xhGlv-AWSNtYmqjwXIK4nRuKfwwpyy0LFZL1GNo6I4cz92Z6MUSIMd0BoMPKjdQ0AQ2MKiSg1tfCSWGS0Wm\
    WpjxsK22ASWIJzlVHTLRP36ytkk4nAJk";
